# Stored output of stats::glm and sandwich::vcovCL for tests/test_counts.py.
#
#   Rscript tests/references/counts.R tests/references
#
# Writes counts_simulated.csv (a simulated unbalanced panel) and counts.json. Clustered
# covariances are without small-sample factor (HC0, cadjust = FALSE).

suppressPackageStartupMessages({
  library(sandwich)
  library(jsonlite)
})

folder <- commandArgs(trailingOnly = TRUE)[1]
set.seed(20110607)
factories <- 50
years <- 6
panel <- expand.grid(year = 2001:(2000 + years), factory = seq_len(factories))
panel <- panel[(panel$factory + panel$year) %% 7 != 0, ]
n <- nrow(panel)
panel$buyer <- sample(6, n, replace = TRUE)
panel$region <- panel$factory %% 10
effect <- rnorm(factories, sd = 0.5)[panel$factory]
panel$x <- round(0.5 * effect + rnorm(n), 4)
panel$z <- round(rnorm(n), 4)
panel$d <- rbinom(n, 1, 0.4)
panel$workers <- round(exp(rnorm(n, 5, 0.5)))
panel$count <- rpois(n, panel$workers / 100 * exp(0.3 * panel$x - 0.2 * panel$z + effect + 0.05 * panel$buyer))
fraction <- plogis(-0.4 + 0.5 * panel$x - 0.3 * panel$z + 0.4 * panel$d + 0.5 * effect)
panel$share <- rbinom(n, 8, fraction) / 8
write.csv(panel, file.path(folder, "counts_simulated.csv"), row.names = FALSE, quote = FALSE)

tight <- glm.control(epsilon = 1e-15, maxit = 100)
describe <- function(model, terms) {
  clustered <- vcovCL(model, cluster = model$data$region, type = "HC0", cadjust = FALSE)
  list(
    coefficients = unname(coef(model)[terms]),
    clustered = unname(clustered[terms, terms, drop = FALSE])
  )
}
# A factory without any finding says nothing; glm would send its dummy to minus infinity.
some <- ave(panel$count, panel$factory, FUN = sum) > 0
poisson_model <- function(formula) {
  describe(glm(formula, poisson, panel[some, ], control = tight), c("x", "z"))
}
logit_model <- function(formula, terms) {
  describe(glm(formula, quasibinomial, panel, control = tight), terms)
}
means <- aggregate(cbind(mx = x, mz = z, md = d) ~ factory, panel, mean)
panel <- merge(panel, means, by = "factory", sort = FALSE)

write_json(
  list(
    versions = list(R = as.character(getRversion()), sandwich = as.character(packageVersion("sandwich"))),
    pooled = poisson_model(count ~ x + z),
    one = poisson_model(count ~ x + z + factor(factory)),
    two = poisson_model(count ~ x + z + factor(factory) + factor(year)),
    three = poisson_model(count ~ x + z + factor(factory) + factor(year) + factor(buyer)),
    offset = poisson_model(count ~ x + z + factor(factory) + factor(year) + offset(log(workers))),
    fractional = logit_model(share ~ x + z + d, c("x", "z", "d")),
    correlated = logit_model(share ~ x + z + d + mx + mz + md, c("x", "z", "d"))
  ),
  file.path(folder, "counts.json"), auto_unbox = TRUE, digits = 13, pretty = TRUE
)
