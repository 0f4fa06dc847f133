"""People, their roles, tokens and sessions; the audit trail; what waits for a second person."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q

from corridor.base.errors import CorridorError


class AuditTrailIsAppendOnly(CorridorError):
    """Something tried to change or delete an entry of the audit trail."""

    code = "audit-append-only"


class PersonManager(BaseUserManager["Person"]):
    """Find people by name; they are made by `accounts.services.add_person` alone."""

    def get_by_natural_key(self, username: str | None) -> Person:
        """Return the person of that name, whatever the case of its letters."""
        return self.get(username__iexact=username)


class Person(AbstractBaseUser):
    """Someone who works at this node; a name in the audit trail, hence never deleted, only closed."""

    username = models.CharField(max_length=64, unique=True)
    display_name = models.CharField(max_length=200)
    language = models.CharField(max_length=16, default="en")
    is_active = models.BooleanField(default=True)
    must_change_password = models.BooleanField(default=False)
    appointed_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="appointed")
    appointed_at = models.DateTimeField()
    password_given_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="gave_password")
    password_given_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username

    @property
    def role_names(self) -> frozenset[str]:
        """The names of the roles this person holds now."""
        return frozenset(held.role for held in self.roles.all())


class RoleAssignment(models.Model):
    """Who holds which role, given by whom and when; what was taken away stands in the audit trail."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="roles")
    role = models.CharField(max_length=64)
    given_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="roles_given")
    given_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "role"], name="role_is_held_once")]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.role}"


class ActorToken(models.Model):
    """A token that lets a command act in a person's name; only its hash is kept."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class PersonSession(AbstractBaseSession):
    """A browser session that knows whose it is, so that a person can see and end their own."""

    person_id = models.BigIntegerField(null=True, db_index=True)
    began_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=64, default="")
    browser = models.CharField(max_length=200, default="")

    @classmethod
    def get_session_store_class(cls) -> Any:
        """Return the engine of `accounts.sessions`, as Django asks of every session model."""
        from corridor.accounts.sessions import SessionStore

        return SessionStore


class LoginFailure(models.Model):
    """One failed attempt to sign in, counted per account and per address."""

    key = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["key", "at"])]

    def __str__(self) -> str:
        return self.key


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Entries are added and read; every other verb is refused."""

    def update(self, **_: Any) -> NoReturn:
        """Refuse."""
        raise AuditTrailIsAppendOnly("entries of the audit trail are never changed")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise AuditTrailIsAppendOnly("entries of the audit trail are never deleted")


class AuditEntry(models.Model):
    """Who did what to what, when, and how it ended; ids and counts, never a patient's data."""

    at = models.DateTimeField(db_index=True)
    actor_kind = models.CharField(max_length=8)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    subject = models.CharField(max_length=300, default="")
    detail = models.JSONField(default=dict)
    outcome = models.CharField(max_length=16, default="done")

    objects: ClassVar[models.Manager[AuditEntry]] = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(actor_kind__in=("person", "peer", "system")), name="audit_actor_kind"),
            models.CheckConstraint(condition=Q(outcome__in=("done", "refused")), name="audit_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; refuse to change one that is already there."""
        if not self._state.adding:
            raise AuditTrailIsAppendOnly("entries of the audit trail are never changed")
        super().save(*args, **kwargs)

    def delete(self, *_: Any, **__: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise AuditTrailIsAppendOnly("entries of the audit trail are never deleted")


class ApprovalRequest(models.Model):
    """A step that one person asked for and a second one must allow."""

    class State(models.TextChoices):
        """Where a request stands."""

        WAITING = "waiting"
        DONE = "done"
        DECLINED = "declined"
        EXPIRED = "expired"

    kind = models.CharField(max_length=100)
    arguments = models.JSONField()
    arguments_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="asked")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="decided")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "arguments_hash"], condition=Q(state="waiting"), name="one_waiting_request_per_step"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "done", "declined", "expired")), name="approval_state"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at__isnull=True)
                | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="approval_decided_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.kind}"
