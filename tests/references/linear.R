# Panel estimators by R, on simulated panels that are stored with their results.
# Rscript linear.R > linear.json
suppressPackageStartupMessages({library(plm); library(sandwich); library(jsonlite)})

RNGversion("4.0.0")
set.seed(20)
N <- 40; T <- 6
simulated <- expand.grid(year = 2001:(2000 + T), firm = 1:N)
own <- rnorm(N)[simulated$firm]
simulated$buyer <- paste0("b", simulated$firm %% 12)
simulated$x <- 0.15 * own + rnorm(N * T)
simulated$z <- rnorm(N * T) + 0.2 * (simulated$year - 2000)
simulated$w <- rnorm(N)[simulated$firm]
simulated$y <- 1 + simulated$x - 0.5 * simulated$z + 0.3 * simulated$w + own +
  0.1 * (simulated$year - 2000) + rnorm(N * T)
simulated$v <- simulated$x - 0.5 * simulated$z + 2 * rnorm(N)[simulated$firm] + rnorm(N * T)
numbers <- c("x", "z", "w", "y", "v")
simulated[, numbers] <- round(simulated[, numbers], 6)
gone <- with(simulated, (firm %% 5 == 0 & year == 2003) | (firm %% 7 == 1 & year <= 2002) |
               (firm %% 11 == 4 & year >= 2005))
gaps <- simulated[!gone, ]

tell <- function(model, terms, V) list(
  estimate = as.list(coef(model)[terms]),
  std_error = as.list(sqrt(diag(V))[terms]))
both <- function(model, terms) list(
  unadjusted = tell(model, terms, vcov(model)),
  none = tell(model, terms, vcovHC(model, method = "arellano", type = "HC0", cluster = "group")),
  fixest = tell(model, terms, vcovHC(model, method = "arellano", type = "sss", cluster = "group")))
run <- function(formula, model, data, ...) plm(formula, data, model = model,
                                               index = c("firm", "year"), ...)
terms <- c("x", "z", "w")

between <- function(data) {
  means <- aggregate(cbind(y, x, z, w) ~ firm, data, mean)
  model <- lm(y ~ x + z + w, means)
  list(unadjusted = tell(model, terms, vcov(model)),
       none = tell(model, terms, vcovHC(model, type = "HC0")),
       fixest = tell(model, terms, vcovHC(model, type = "HC1")))
}
mundlak <- function(data, ...) {
  data$mean_x <- ave(data$x, data$firm); data$mean_z <- ave(data$z, data$firm)
  model <- run(y ~ x + z + w + mean_x + mean_z, "random", data)
  tested <- c("mean_x", "mean_z")
  wald <- function(V) drop(coef(model)[tested] %*% solve(V[tested, tested], coef(model)[tested])) / 2
  sss <- vcovHC(model, method = "arellano", type = "sss", cluster = "group")
  c(both(model, c(terms, tested)),
    list(wald = list(unadjusted = wald(vcov(model)), fixest = wald(sss))))
}
# plm differences over gaps; here only changes from one year to the next are kept.
adjacent <- function(data) {
  data <- data[order(data$firm, data$year), ]
  n <- nrow(data)
  kept <- c(FALSE, data$firm[-1] == data$firm[-n] & diff(data$year) == 1)
  changes <- data.frame(firm = data$firm, year = data$year)
  for (name in c("y", "x", "z")) changes[[name]] <- c(NA, diff(data[[name]]))
  changes <- changes[kept, ]
  model <- lm(y ~ x + z + factor(year) - 1, changes)
  G <- length(unique(changes$firm)); k <- length(coef(model)); m <- nrow(changes)
  plain <- vcovCL(model, changes$firm, type = "HC0", cadjust = FALSE)
  list(nobs = m, unadjusted = tell(model, c("x", "z"), vcov(model)),
       none = tell(model, c("x", "z"), plain),
       fixest = tell(model, c("x", "z"), plain * G / (G - 1) * (m - 1) / (m - k)))
}
test <- phtest(run(v ~ x + z + w, "within", simulated), run(v ~ x + z + w, "random", simulated))
difference <- vcov(run(v ~ x + z, "within", simulated)) -
  vcov(run(v ~ x + z + w, "random", simulated))[c("x", "z"), c("x", "z")]
stopifnot(eigen(difference)$values > 0)
within <- function(data) as.list(coef(plm(y ~ x + z, data, model = "within", effect = "twoways",
                                          index = c("firm", "year"))))

result <- list(
  made_with = paste0("R ", getRversion(), ", plm ", packageVersion("plm"), ", sandwich ",
                     packageVersion("sandwich")),
  balanced = simulated, unbalanced = gaps,
  pooled = both(run(y ~ x + z + w, "pooling", gaps), terms),
  pooled_time = both(run(y ~ x + z + w + factor(year), "pooling", gaps), terms),
  between = between(gaps),
  random = both(run(y ~ x + z + w, "random", simulated), terms),
  random_time = both(run(y ~ x + z + w + factor(year), "random", simulated), terms),
  differences = both(run(y ~ x + z - 1, "fd", simulated), c("x", "z")),
  differences_time = adjacent(gaps),
  mundlak = mundlak(simulated),
  within_time = list(balanced = within(simulated), unbalanced = within(gaps)),
  hausman = list(value = unname(test$statistic), df = unname(test$parameter),
                 p_value = unname(test$p.value)))
cat(toJSON(result, auto_unbox = TRUE, digits = 15), "\n")
