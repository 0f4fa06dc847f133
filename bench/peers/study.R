# Times R's coxph.fit on the rows of all sites in one place, stratified by site: wall seconds, as one JSON object.
suppressMessages(library(survival))
arguments <- commandArgs(trailingOnly = TRUE)
rows <- as.integer(arguments[2])
width <- as.integer(arguments[3])
table <- matrix(readBin(arguments[1], "double", n = (3 + width) * rows, endian = "little"), nrow = rows)
y <- Surv(table[, 1], table[, 2])
site <- as.integer(table[, 3])
x <- table[, 3 + seq_len(width)]
fit <- NULL
work <- function() fit <<- coxph.fit(x, y, strata = site, control = coxph.control(), method = "efron",
                                     rownames = NULL, resid = FALSE)
seconds <- min(replicate(2, unname(system.time(work())["elapsed"])))
numbers <- function(v) paste0("[", paste(sprintf("%.15g", v), collapse = ", "), "]")
cat(sprintf('{"seconds": %.9g, "coef": %s}\n', seconds, numbers(fit$coefficients)))
