# Times R's surveillance on the same counts: seconds per series and week, printed as one JSON object.
suppressMessages(library(surveillance))
counts <- read.csv(commandArgs(trailingOnly = TRUE)[1])
series <- sts(observed = as.matrix(counts), start = c(2010, 1), frequency = 52)
weeks <- (nrow(counts) - 25):nrow(counts)
improved <- list(range = weeks, b = 5, w = 3, reweight = TRUE, weightsThreshold = 2.58, alpha = 0.01, trend = TRUE,
                 pThresholdTrend = 1, limit54 = c(5, 4), noPeriods = 10, pastWeeksNotIncluded = 26,
                 thresholdMethod = "nbPlugin", glmWarnings = FALSE)
seconds <- function(work, repeats = 1) unname(system.time(for (i in seq_len(repeats)) work())["user.self"]) / repeats
cells <- length(weeks) * ncol(counts)
flexible <- seconds(function() farringtonFlexible(series, control = improved)) / cells
classic <- seconds(function() farrington(series, control = list(range = weeks, b = 5, w = 3, alpha = 0.01))) / cells
long <- 8:nrow(counts)
ears <- seconds(function() earsC(series, control = list(range = long, method = "C1")), 3) / (length(long) * ncol(counts))
cat(sprintf('{"flexible": %.9g, "classic": %.9g, "ears": %.9g}\n', flexible, classic, ears))
