# Results of R's survival on rows coarsened as a site coarsens them, on the edges of coarse_edges.txt:
# Rscript coarse.R > coarse.json
# The edges are those on which the sites agree under the rule of the study; how rows move to them is written here anew.
suppressMessages(library(survival))
json <- function(x) {
  if (is.list(x)) return(paste0("{", paste(sprintf('"%s": %s', names(x), vapply(x, json, "")), collapse = ",\n"), "}"))
  text <- if (is.character(x)) sprintf('"%s"', x) else ifelse(is.na(x), "null", sprintf("%.17g", x))
  if (length(x) == 1) text else paste0("[", paste(text, collapse = ", "), "]")
}
read <- function(site) subset(read.csv(paste0("site_", site, ".csv")), nodes > 0)
d <- rbind(read("nl"), read("de"))
i <- seq_len(nrow(d)) - 1
d$size_20_50 <- as.numeric(d$size_cat == "gt20_le50")
d$size_gt50 <- as.numeric(d$size_cat == "gt50")
d$grade3 <- as.numeric(d$grade == 3)
d$log1p_pgr <- log1p(d$pgr_fmol)
d$log1p_er <- log1p(d$er_fmol)
d$entry <- (d$time_days * (i %% 5)) %/% 10
d$cause <- ifelse(d$event == 1, 1 + (i %% 3 == 0), 0)
terms <- c("hormon", "age_years", "meno", "size_20_50", "size_gt50", "grade3", "nodes", "log1p_pgr", "log1p_er")
control <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 50)
lines <- strsplit(readLines("coarse_edges.txt"), " ")
edges <- setNames(lapply(lines, function(words) as.numeric(words[-1])), vapply(lines, `[`, "", 1))

# Rows of one site and arm, moved to the edges: events to the next edge, the censored to the first edge at which `enough`
# holds for all who wait; who still waits at the last edge, or ends after it, is censored a day later.
moved <- function(time, kind, edges, enough) {
  last <- length(edges)
  t <- rep(edges[last] + 1, length(time))
  k <- rep(0, length(time))
  waiting <- rep(FALSE, length(time))
  for (end in 2:last) {
    here <- time > edges[end - 1] & time <= edges[end]
    t[here & kind > 0] <- edges[end]
    k[here & kind > 0] <- kind[here & kind > 0]
    waiting <- waiting | (here & kind == 0)
    if (any(waiting) && enough(waiting)) {
      t[waiting] <- edges[end]
      waiting[] <- FALSE
    }
  }
  list(time = t, kind = k)
}
coarse <- function(kind, edges, group, enough = function(who, part) sum(who) >= 5) {
  t <- k <- numeric(nrow(d))
  for (g in unique(group)) {
    part <- which(group == g)
    found <- moved(d$time_days[part], kind[part], edges, function(who) enough(who, part))
    t[part] <- found$time
    k[part] <- found$kind
  }
  data.frame(d, t = t, k = k)
}
curve <- function(fit, at) {
  s <- summary(fit, times = at, extend = TRUE)
  list(n_risk = s$n.risk, surv = s$surv, se = s$std.err, low = s$lower, high = s$upper)
}
cox <- function(name, covariates, ties) {
  # Sums of p columns may be told of 10 p rows, of more rows than ten rounds of numbers, with five of each code.
  p <- length(covariates)
  enough <- function(who, part) {
    x <- as.matrix(d[part[who], covariates, drop = FALSE])
    flags <- x[, "hormon"]
    spread <- function(v) max((v - mean(v))^2) / sum((v - mean(v))^2)
    rows <- sum(who) >= 10 * p && sum(who) * p >= 10 * (1 + p + p * (p + 1) / 2)
    rows && sum(flags) >= 5 && sum(1 - flags) >= 5 && all(apply(x, 2, spread) <= 1 / 5)
  }
  c <- coarse(d$event, edges[[name]], d$site, enough)
  m <- coxph(as.formula(paste("Surv(t, k) ~", paste(covariates, collapse = "+"))), data = c, ties = ties, control = control)
  list(edges = edges[[name]], coef = unname(coef(m)), se = unname(sqrt(diag(m$var))), loglik = m$loglik)
}
pairs <- function(name) {
  m <- coxph(as.formula(paste("Surv(time_days, event) ~", paste(terms, collapse = "+"), "+ strata(site)")), data = d,
             control = control)
  score <- as.vector(as.matrix(d[, terms]) %*% coef(m))
  limits <- mean(score) + sqrt(mean((score - mean(score))^2)) * qnorm(1:3 / 4)
  bin <- findInterval(score, limits)
  c <- coarse(d$event, edges[[name]], paste(d$site, bin))
  c$bin <- bin
  found <- concordance(Surv(t, k) ~ bin, data = c, reverse = TRUE)
  list(edges = edges[[name]], limits = limits, value = unname(found$concordance), se = sqrt(found$var))
}
curves <- function(name) {
  at <- edges[[name]]
  c <- coarse(d$event, at, paste(d$site, d$hormon))
  of <- function(part) {
    fit <- survfit(Surv(t, k) ~ 1, data = part)
    mean <- survival:::survmean(fit, rmean = 1000)$matrix
    c(curve(fit, at[-1]), list(median = unname(unlist(quantile(fit, 0.5))), rmst = unname(mean["rmean"]),
                               rmst_se = unname(mean["se(rmean)"])))
  }
  peto <- survdiff(Surv(t, k) ~ hormon, data = c, rho = 1)
  list(edges = at, untreated = of(subset(c, hormon == 0)), treated = of(subset(c, hormon == 1)),
       treated_DE = of(subset(c, hormon == 1 & site == "DE")),
       peto = list(observed = peto$obs, expected = peto$exp, chisq = peto$chisq))
}
competing <- function(name) {
  at <- edges[[name]]
  c <- coarse(d$cause, at, d$site)
  s <- summary(survfit(Surv(t, factor(k, 0:2)) ~ 1, data = c, id = seq_len(nrow(c))), times = at[-1])
  list(edges = at, one = s$pstate[, 2], two = s$pstate[, 3], one_se = s$std.err[, 2], two_se = s$std.err[, 3])
}
entered <- function(name) {
  at <- edges[[name]]
  c <- coarse(d$event, at, d$site)
  # Who enters within an interval is at risk at its events.
  c$start <- at[findInterval(c$entry, at)]
  list(edges = at, curve = curve(survfit(Surv(start, t, k) ~ 1, data = subset(c, start < t)), at[-1]))
}
# The values of a bin evenly over it, up to its upper edge: definition 4 of Hyndman and Fan.
quantiles <- function(name, values, who = rep(TRUE, nrow(d))) {
  at <- edges[[name]]
  n <- as.vector(table(cut(values[who], at)))
  spread <- unlist(lapply(which(n > 0), function(b) at[b] + (at[b + 1] - at[b]) * seq_len(n[b]) / n[b]))
  p <- c(0.25, 0.5, 0.75)
  half <- qnorm(0.975) * sqrt(p * (1 - p) / sum(n))
  of <- function(p) unname(quantile(spread, p, type = 4))
  list(edges = at, counts = n, value = of(p), low = of(p - half), high = of(p + half),
       exact = unname(quantile(values[who], p, type = 1)))
}
stratified_peto <- function() {
  # survdiff takes rho within each stratum's own curve.
  found <- survdiff(Surv(time_days, event) ~ hormon + strata(site), data = d, rho = 1)
  list(observed = rowSums(found$obs), expected = rowSums(found$exp), chisq = found$chisq)
}
out <- list(
  made_with = paste(R.version.string, "survival", packageVersion("survival")),
  ages = quantiles("ages", d$age_years),
  receptors_untreated = quantiles("receptors", d$pgr_fmol, d$hormon == 0),
  receptors_treated = quantiles("receptors", d$pgr_fmol, d$hormon == 1),
  one_risk_set = cox("one-risk-set", "hormon", "efron"),
  one_risk_set_breslow = cox("one-risk-set-breslow", c("hormon", "age_years"), "breslow"),
  all_pairs = pairs("all-pairs"), curves = curves("curves"), competing = competing("competing"),
  entered = entered("entered"), peto_stratified = stratified_peto()
)
cat(json(out), "\n", sep = "")
