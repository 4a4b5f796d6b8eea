# Absorbed effects and clustered errors by R, on the simulated panel that pyfixest estimates too.
# Rscript least_squares.R > least_squares_r.json     (R 4.2.2, plm 2.6.2, estimatr 1.0.0)
suppressPackageStartupMessages({library(plm); library(estimatr); library(jsonlite)})

simulated <- read.csv("least_squares_simulated.csv", stringsAsFactors = TRUE)
simulated$treated <- as.numeric(simulated$treated == "True")
terms <- c("x", "count", "treated")
tell <- function(b, se, n, ...) list(
  nobs = n, estimate = as.list(b[terms]), std_error = as.list(se[terms]), ...)

# plm: CR0 times G/(G-1) * (n-1)/(n-K), K the regressors alone ("sss").
within <- function(effect, data = simulated) {
  model <- plm(y ~ x + count + treated, data, model = "within", effect = effect,
               index = c("firm", "year"))
  V <- function(type) vcovHC(model, method = "arellano", type = type, cluster = "group")
  tell(coef(model), sqrt(diag(V("sss"))), nobs(model), convention = "sss",
       plain = as.list(sqrt(diag(V("HC0")))[terms]),
       unadjusted = as.list(sqrt(diag(vcov(model)))[terms]))
}
# estimatr: "stata" counts all effects, "CR0" has no factor.
robust <- function(effects, clusters, type) {
  call <- list(y ~ x + count + treated, data = simulated, se_type = type,
               clusters = simulated[[clusters]])
  if (length(effects)) call$fixed_effects <- effects
  model <- do.call(lm_robust, call)
  tell(coef(model), model$std.error, model$nobs, convention = type, clusters = clusters,
       df = unname(model$df[["x"]]))
}

told <- list(
  made_with = paste0("R ", getRversion(), ", plm ", packageVersion("plm"), ", estimatr ",
                     packageVersion("estimatr")),
  plm = list(one_way = within("individual"), two_way = within("twoways")),
  estimatr = list(
    one_way_by_firm = robust(~ firm, "firm", "stata"),
    two_way_by_firm = robust(~ firm + year, "firm", "stata"),
    two_way_by_buyer = robust(~ firm + year, "buyer", "stata"),
    two_way_by_market = robust(~ firm + year, "market", "stata"),
    three_way_by_buyer = robust(~ firm + year + line, "buyer", "stata"),
    pooled_by_buyer = robust(NULL, "buyer", "stata"),
    two_way_by_firm_plain = robust(~ firm + year, "firm", "CR0"),
    two_way_by_market_plain = robust(~ firm + year, "market", "CR0")))
cat(toJSON(told, digits = I(16), auto_unbox = TRUE, pretty = TRUE), "\n")
