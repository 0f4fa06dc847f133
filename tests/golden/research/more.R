# Further results of R's survival on the two cohorts beside this file: Rscript more.R > more.json
# What the cohorts lack (delayed entry, weights, clusters, competing causes) is made from
# the number of the row, by rules that the test repeats.
suppressMessages(library(survival))
json <- function(x) {
  if (is.list(x)) return(paste0("{", paste(sprintf('"%s": %s', names(x), vapply(x, json, "")), collapse = ",\n"), "}"))
  text <- if (is.character(x)) sprintf('"%s"', x) else ifelse(is.na(x), "null", sprintf("%.17g", x))
  if (length(x) == 1) text else paste0("[", paste(text, collapse = ", "), "]")
}
read <- function(site) subset(read.csv(paste0("site_", site, ".csv")), nodes > 0)
d <- rbind(read("nl"), read("de"))
i <- seq_len(nrow(d)) - 1
d$site <- factor(d$site, levels = c("NL", "DE"))
d$size_20_50 <- as.numeric(d$size_cat == "gt20_le50")
d$size_gt50 <- as.numeric(d$size_cat == "gt50")
d$grade3 <- as.numeric(d$grade == 3)
d$log1p_pgr <- log1p(d$pgr_fmol)
d$log1p_er <- log1p(d$er_fmol)
d$entry <- floor(d$time_days * (i %% 5) / 10)
d$weight <- 1 + (i %% 3) / 2
d$ward <- paste(d$site, i %/% 7)
d$cause <- ifelse(d$event == 1, 1 + (i %% 3 == 0), 0)
d$line <- c(0.5 * log1p(d$nodes) - 0.3 * d$hormon)
d$bin <- findInterval(d$line, c(0.2, 0.4, 0.6, 0.8, 1.0, 1.2))
terms <- c("hormon", "age_years", "meno", "size_20_50", "size_gt50", "grade3", "nodes", "log1p_pgr", "log1p_er")
control <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 50)

rich <- function(ties) {
  f <- as.formula(paste("Surv(entry, time_days, event) ~", paste(terms, collapse = " + "),
                        "+ strata(site, grade3 == 1) + cluster(ward)"))
  f <- update(f, . ~ . - grade3)
  m <- coxph(f, data = d, weights = weight, ties = ties, control = control, x = TRUE, model = TRUE)
  plain <- coxph(update(f, . ~ . - cluster(ward)), data = d, weights = weight, ties = ties, control = control, x = TRUE)
  zph <- function(transform) unname(cox.zph(plain, transform = transform)$table[, "chisq"])
  list(terms = names(coef(m)), coef = unname(coef(m)), se = unname(sqrt(diag(m$var))),
       naive_se = unname(sqrt(diag(m$naive.var))), loglik = m$loglik, robust_score = m$rscore,
       zph_identity = zph("identity"), zph_log = zph("log"))
}

curve <- function(fit, at) {
  s <- summary(fit, times = at, extend = TRUE)
  list(time = at, n_risk = s$n.risk, surv = s$surv, se = s$std.err, low = s$lower, high = s$upper)
}

coarse <- function(grid) {
  d$t <- ceiling(d$time_days / grid) * grid
  at <- grid * c(1, 3, 7, 12, 20)
  km <- survfit(Surv(t, event) ~ 1, data = d, conf.type = "log-log")
  test <- survdiff(Surv(t, event) ~ hormon, data = d)
  peto <- survdiff(Surv(t, event) ~ hormon, data = d, rho = 1)
  tau <- 20 * grid
  mean <- survival:::survmean(km, rmean = tau)$matrix
  cox <- function(ties) {
    m <- coxph(as.formula(paste("Surv(t, event) ~", paste(terms, collapse = " + "))), data = d, ties = ties,
               control = control)
    list(coef = unname(coef(m)), se = unname(sqrt(diag(m$var))), loglik = m$loglik)
  }
  aj <- survfit(Surv(t, factor(cause, 0:2)) ~ 1, data = d, id = seq_len(nrow(d)))
  states <- summary(aj, times = at)
  ranks <- concordance(Surv(t, event) ~ bin, data = d, reverse = TRUE)
  list(km = curve(km, at),
       quarter = unname(unlist(quantile(km, 0.25))), median = unname(unlist(quantile(km, 0.5))),
       rmst = list(tau = tau, mean = unname(mean["rmean"]), se = unname(mean["se(rmean)"])),
       logrank = list(observed = test$obs, expected = test$exp, chisq = test$chisq),
       peto = list(observed = peto$obs, expected = peto$exp, chisq = peto$chisq),
       cox = list(efron = cox("efron"), breslow = cox("breslow")),
       incidence = list(time = at, one = states$pstate[, 2], two = states$pstate[, 3], one_se = states$std.err[, 2],
                        two_se = states$std.err[, 3]),
       concordance = list(value = unname(ranks$concordance), se = sqrt(ranks$var), counts = unname(ranks$count)))
}

entered <- survfit(Surv(entry, time_days, event) ~ 1, data = d, conf.type = "log")
ties <- concordance(Surv(time_days, event) ~ nodes + strata(site), data = d, reverse = TRUE)
three <- survdiff(Surv(time_days, event) ~ size_cat + strata(site), data = d)
level <- function(time, event) unname(unlist(quantile(survfit(Surv(time, event) ~ 1, conf.type = "log"), 0.5)))
out <- list(
  made_with = paste(R.version.string, "survival", packageVersion("survival")),
  rich = list(efron = rich("efron"), breslow = rich("breslow")),
  entered = curve(entered, c(100, 500, 1000, 2000, 3000)),
  coarse = list("30" = coarse(30), "91" = coarse(91)),
  tied_scores = list(value = unname(ties$concordance), se = sqrt(ties$var), counts = unname(colSums(ties$count))),
  three_groups = list(observed = rowSums(three$obs), expected = rowSums(three$exp), chisq = three$chisq),
  level_medians = list(
    all_die = level(1:4, c(1, 1, 1, 1)), censored_between = level(1:6, c(1, 1, 1, 0, 1, 0)),
    ends_level = level(1:4, c(1, 1, 0, 0)), never = level(1:4, c(1, 0, 0, 0)))
)
cat(json(out), "\n", sep = "")
