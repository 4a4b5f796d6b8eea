# Stored output of plm::pgmm for tests/test_dynamic.py.
#
#   Rscript tests/references/dynamic.R empluk_arellano_bond.csv tests/references
#
# Writes dynamic_simulated.csv (a simulated panel, unbalanced with gaps) and dynamic.json.
# Differences of plm from the module under test, all outside what is compared here:
#   - without time effects plm's system has no constant;
#   - with more than two lags of the outcome plm misplaces the instruments of the levels;
#   - plm instruments the levels by the difference lagged once whatever the first lag, so
#     that predetermined regressors (first lag 1) are compared in differences only;
#   - in a system mtest leaves the scores of the levels out of the covariance between
#     coefficients and autocorrelation: with it, the module gives plm's numbers, without it
#     those that Roodman (2009) prints; so ar1 and ar2 of systems are not stored;
#   - summary.pgmm tests one-step residuals by two-step weights: the Sargan statistic of a
#     one-step model is not compared, Hansen's is taken from the two-step model.

suppressPackageStartupMessages({
  library(plm)
  library(jsonlite)
})

paths <- commandArgs(trailingOnly = TRUE)
firms <- read.csv(paths[1])
for (name in c("emp", "wage", "capital", "output")) firms[[name]] <- log(firms[[name]])
firms <- pdata.frame(firms, index = c("firm", "year"))
holes <- (7 * as.integer(as.character(firms$firm)) + as.integer(as.character(firms$year))) %% 11
gaps <- pdata.frame(as.data.frame(firms)[holes != 0, ], index = c("firm", "year"))

set.seed(19910401)
entities <- 60
periods <- 8
effect <- rnorm(entities)
simulated <- do.call(rbind, lapply(seq_len(entities), function(i) {
  error <- rnorm(periods + 10)
  x <- 0.5 * effect[i] + rnorm(periods + 10)
  z <- numeric(periods + 10)
  y <- numeric(periods + 10)
  for (t in 2:(periods + 10)) {
    z[t] <- 0.5 * z[t - 1] + 0.4 * error[t - 1] + 0.3 * effect[i] + rnorm(1)
    y[t] <- 0.5 * y[t - 1] + 0.3 * x[t] - 0.2 * z[t] + effect[i] + error[t]
  }
  data.frame(entity = i, time = seq_len(periods), y = y[-(1:10)], x = x[-(1:10)], z = z[-(1:10)])
}))
simulated <- simulated[(5 * simulated$entity + 3 * simulated$time) %% 13 != 0, ]
simulated[, c("y", "x", "z")] <- round(simulated[, c("y", "x", "z")], 6)
write.csv(simulated, file.path(paths[2], "dynamic_simulated.csv"), row.names = FALSE, quote = FALSE)
simulated <- pdata.frame(simulated, index = c("entity", "time"))

table4b <- emp ~ lag(emp, 1:2) + lag(wage, 0:1) + capital + lag(output, 0:1) | lag(emp, 2:99)
table4a <- emp ~ lag(emp, 1:2) + lag(wage, 0:1) + lag(capital, 0:2) + lag(output, 0:2) | lag(emp, 2:99)
blundell_bond <- emp ~ lag(emp, 1) + lag(wage, 0:1) + lag(capital, 0:1) |
  lag(emp, 2:99) + lag(wage, 2:99) + lag(capital, 2:99)
exogenous <- emp ~ lag(emp, 1) + wage + capital | lag(emp, 2:99)
limited <- emp ~ lag(emp, 1) + wage + capital | lag(emp, 2:4) + lag(wage, 1:3)
small <- y ~ lag(y, 1) + x + z | lag(y, 2:99) + lag(z, 1:99)
small_system <- y ~ lag(y, 1) + x + z | lag(y, 2:99) + lag(z, 2:99)

specifications <- list(
  table4b = list(table4b, firms, "d", FALSE, "twoways"),
  table4a = list(table4a, firms, "d", FALSE, "twoways"),
  table4b_collapsed = list(table4b, firms, "d", TRUE, "twoways"),
  table4b_individual = list(table4b, firms, "d", FALSE, "individual"),
  table4b_gaps = list(table4b, gaps, "d", FALSE, "twoways"),
  limited = list(limited, firms, "d", FALSE, "twoways"),
  limited_collapsed = list(limited, firms, "d", TRUE, "twoways"),
  blundell_bond = list(blundell_bond, firms, "ld", FALSE, "twoways"),
  blundell_bond_collapsed = list(blundell_bond, firms, "ld", TRUE, "twoways"),
  exogenous_system = list(exogenous, firms, "ld", FALSE, "twoways"),
  exogenous_system_gaps = list(exogenous, gaps, "ld", FALSE, "twoways"),
  simulated = list(small, simulated, "d", FALSE, "twoways"),
  simulated_collapsed = list(small, simulated, "d", TRUE, "twoways"),
  simulated_system = list(small_system, simulated, "ld", TRUE, "twoways")
)

run <- function(what, model) {
  fit <- pgmm(what[[1]],
    data = what[[2]], effect = what[[5]], model = model,
    transformation = what[[3]], collapse = what[[4]]
  )
  robust <- vcovHC(fit)
  kept <- if (what[[5]] == "twoways") !(names(coef(fit)) %in% fit$args$namest) else TRUE
  hansen <- sargan(fit)
  list(
    coefficients = unname(coef(fit)[kept]),
    std_errors = unname(sqrt(diag(robust))[kept]),
    ar1 = if (what[[3]] == "d") unname(as.numeric(mtest(fit, order = 1, vcov = robust)$statistic)),
    ar2 = if (what[[3]] == "d") unname(as.numeric(mtest(fit, order = 2, vcov = robust)$statistic)),
    hansen = if (model == "twosteps") unname(as.numeric(hansen$statistic)),
    df = unname(as.numeric(hansen$parameter)),
    instruments = ncol(fit$W[[1]])
  )
}

output <- lapply(specifications, function(what) {
  list(onestep = run(what, "onestep"), twosteps = run(what, "twosteps"))
})
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."), plm = as.character(packageVersion("plm")))
write(
  toJSON(c(list(versions = versions), output), digits = 12, auto_unbox = TRUE, pretty = TRUE, null = "null"),
  file.path(paths[2], "dynamic.json")
)
