# Stored output of survival for tests/test_durations.py.
#
#   Rscript tests/references/durations.R tests/references
#
# Writes durations_simulated.csv (simulated spells: Weibull with a frailty of each factory,
# assessed at random days, some with an exact day) and durations.json.

suppressPackageStartupMessages({
  library(survival)
  library(jsonlite)
})

folder <- commandArgs(trailingOnly = TRUE)[1]
set.seed(20240229)
factories <- 40
each <- 8
n <- factories * each
spells <- data.frame(
  factory = rep(seq_len(factories), each = each),
  country = rep(c("KHM", "VNM", "BGD"), length.out = factories)[rep(seq_len(factories), each = each)]
)
frailty <- rnorm(factories, sd = 0.4)[spells$factory]
spells$dialogue <- round(rnorm(factories)[spells$factory] + 0.5 * rnorm(n), 4)
spells$critical <- rbinom(n, 1, 0.4)
shape <- 1.3
scale <- 200 * exp(-(0.5 * spells$dialogue + 0.3 * spells$critical + frailty) / shape)
length <- rweibull(n, shape, scale)

# Exact or right-censored whole days, with ties.
followed <- round(runif(n, 60, 500))
spells$days <- pmax(1, ceiling(pmin(length, followed) / 10) * 10)
spells$ended <- as.integer(length <= followed)

# Intervals between assessments; every ninth end has its exact day.
first <- round(runif(n, 20, 150))
second <- first + round(runif(n, 50, 150))
third <- second + round(runif(n, 50, 250))
spells$lower <- ifelse(length <= first, 0, ifelse(length <= second, first, ifelse(length <= third, second, third)))
spells$upper <- ifelse(length <= first, first, ifelse(length <= second, second, ifelse(length <= third, third, Inf)))
known <- seq_len(n) %% 9 == 0 & is.finite(spells$upper)
spells$lower[known] <- spells$upper[known] <- pmax(1, round(length[known]))
write.csv(spells, file.path(folder, "durations_simulated.csv"), row.names = FALSE, quote = FALSE)

exact <- coxph.control(eps = 1e-13, toler.chol = 1e-15, iter.max = 50)
cox <- function(formula) {
  plain <- coxph(formula, spells, ties = "efron", control = exact)
  clustered <- coxph(formula, spells, ties = "efron", cluster = factory,
                     control = exact)
  trend <- cox.zph(plain, transform = "km", terms = FALSE)$table["GLOBAL", ]
  list(
    coefficients = unname(coef(plain)), covariance = unname(vcov(plain)),
    clustered = unname(vcov(clustered)), trend = unname(trend)
  )
}

bounds <- Surv(ifelse(spells$lower == 0, NA, spells$lower),
               ifelse(is.finite(spells$upper), spells$upper, NA), type = "interval2")
tight <- survreg.control(rel.tolerance = 1e-14, maxiter = 100)
weibull <- survreg(bounds ~ dialogue + critical, spells, dist = "weibull", control = tight)
# Of interval-censored spells survreg's clustered covariance is not stored: its scores of the
# scale (residuals, type "matrix", column ds) do not sum to zero there. Of others they do.
ends <- Surv(spells$days, spells$ended)
right <- survreg(ends ~ dialogue + critical, spells, dist = "weibull", control = tight)
robust <- survreg(ends ~ dialogue + critical, spells, dist = "weibull", cluster = factory, control = tight)
stopifnot(
  abs(sum(residuals(right, type = "matrix")[, "ds"])) < 1e-6,
  abs(sum(residuals(weibull, type = "matrix")[, "ds"])) > 1
)
# From (intercept, b, log scale) to log hazard ratios -b / scale and shape 1 / scale.
convert <- function(model, covariance) {
  b <- coef(model)[-1]
  sigma <- model$scale
  jacobian <- cbind(0, rbind(cbind(diag(-1 / sigma, length(b)), b / sigma), c(rep(0, length(b)), -1 / sigma)))
  jacobian %*% covariance %*% t(jacobian)
}

kaplan <- survfit(Surv(days, ended) ~ 1, spells)
write_json(
  list(
    versions = list(R = as.character(getRversion()), survival = as.character(packageVersion("survival"))),
    cox = cox(Surv(days, ended) ~ dialogue + critical),
    cox_stratified = cox(Surv(days, ended) ~ dialogue + critical + strata(country)),
    weibull = list(
      coefficients = unname(-coef(weibull)[-1] / weibull$scale), shape = 1 / weibull$scale,
      covariance = unname(convert(weibull, vcov(weibull)))
    ),
    weibull_right = list(
      coefficients = unname(-coef(right)[-1] / right$scale), shape = 1 / right$scale,
      covariance = unname(convert(right, vcov(right))),
      clustered = unname(convert(robust, vcov(robust)))
    ),
    kaplan = list(time = kaplan$time[kaplan$n.event > 0], survival = kaplan$surv[kaplan$n.event > 0])
  ),
  file.path(folder, "durations.json"), auto_unbox = TRUE, digits = 13, pretty = TRUE
)
