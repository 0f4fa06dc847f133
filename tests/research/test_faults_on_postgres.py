"""Faults of a study where locks and transactions are PostgreSQL's: the short form of what SQLite is tried with."""

from __future__ import annotations

import pytest

from tests.research.test_faults import (
    study,
    test_a_database_put_back_from_before_a_release_closes_the_ledger,
    test_a_process_killed_between_the_ledger_and_the_outbox_does_not_close_the_ledger_to_other_runs,
    test_a_run_waits_while_the_agreement_is_suspended_and_closes_nothing,
    test_a_study_whose_processes_are_killed_again_and_again_comes_to_the_same_numbers,
    test_jobs_of_a_killed_worker_are_made_up_for,
    test_rounds_that_are_lost_and_doubled_give_each_number_once,
    test_standings_that_overtake_one_another_count_in_the_order_in_which_they_were_stated,
    test_two_answers_for_one_round_are_a_dispute_at_every_site,
)

__all__ = [
    "study",
    "test_a_database_put_back_from_before_a_release_closes_the_ledger",
    "test_a_process_killed_between_the_ledger_and_the_outbox_does_not_close_the_ledger_to_other_runs",
    "test_a_run_waits_while_the_agreement_is_suspended_and_closes_nothing",
    "test_a_study_whose_processes_are_killed_again_and_again_comes_to_the_same_numbers",
    "test_jobs_of_a_killed_worker_are_made_up_for",
    "test_rounds_that_are_lost_and_doubled_give_each_number_once",
    "test_standings_that_overtake_one_another_count_in_the_order_in_which_they_were_stated",
    "test_two_answers_for_one_round_are_a_dispute_at_every_site",
]

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("make_corridor", ["postgresql"], indirect=True)]
