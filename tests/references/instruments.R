# Instrumental variables by R, on a simulated panel that is stored with its results.
# Rscript instruments.R > instruments.json
suppressPackageStartupMessages({library(AER); library(estimatr); library(sandwich); library(jsonlite)})

RNGversion("4.0.0")
set.seed(7)
N <- 40; T <- 6
simulated <- expand.grid(year = 2001:(2000 + T), firm = 1:N)
simulated$buyer <- paste0("b", simulated$firm %% 12)
own <- rnorm(N)[simulated$firm]
hidden <- rnorm(N * T) + 0.5 * rnorm(12)[simulated$firm %% 12 + 1]
simulated$z1 <- rnorm(N * T) + 0.3 * own
simulated$z2 <- rnorm(N * T)
simulated$w <- rnorm(N * T) + 0.1 * (simulated$year - 2000)
simulated$x <- 0.6 * simulated$z1 + 0.3 * simulated$z2 + 0.2 * simulated$w + own + hidden + rnorm(N * T)
simulated$x2 <- 0.5 * simulated$z2 - 0.3 * simulated$z1 + 0.5 * hidden + rnorm(N * T)
simulated$y <- simulated$x - 0.5 * simulated$w + own + hidden + rnorm(N * T)
numbers <- c("z1", "z2", "w", "x", "x2", "y")
simulated[, numbers] <- round(simulated[, numbers], 6)
simulated <- simulated[!(simulated$firm %% 5 == 0 & simulated$year <= 2002), ]

tell <- function(estimate, V, terms) list(estimate = as.list(estimate[terms]),
                                          std_error = as.list(sqrt(diag(V))[terms]))
plain <- ivreg(y ~ w + x | w + z1 + z2, data = simulated)
tests <- summary(plain, diagnostics = TRUE)$diagnostics
dummies <- ivreg(y ~ w + x + factor(firm) + factor(year) | w + z1 + z2 + factor(firm) + factor(year),
                 data = simulated)
two <- ivreg(y ~ w + x + x2 + factor(firm) + factor(year) | w + z1 + z2 + factor(firm) + factor(year),
             data = simulated)
stata <- iv_robust(y ~ w + x | w + z1 + z2, data = simulated, clusters = buyer, se_type = "stata")
CR0 <- function(model) vcovCL(model, simulated$buyer, type = "HC0", cadjust = FALSE)
first <- lm(x ~ w + z1 + z2, simulated)
one <- lm(x ~ w + z1, simulated)
V1 <- vcovCL(one, simulated$buyer, type = "HC1", cadjust = TRUE)

result <- list(
  made_with = paste0("R ", getRversion(), ", AER ", packageVersion("AER"), ", estimatr ",
                     packageVersion("estimatr"), ", sandwich ", packageVersion("sandwich")),
  simulated = simulated,
  plain = tell(coef(plain), vcov(plain), c("w", "x")),
  clustered = tell(coef(stata), stata$vcov, c("w", "x")),
  within_unadjusted = tell(coef(dummies), vcov(dummies), c("w", "x")),
  within_none = tell(coef(dummies), CR0(dummies), c("w", "x")),
  two_none = tell(coef(two), CR0(two), c("w", "x", "x2")),
  weak = tests["Weak instruments", "statistic"],
  wu_hausman = list(value = tests["Wu-Hausman", "statistic"], p_value = tests["Wu-Hausman", "p-value"]),
  sargan = list(value = tests["Sargan", "statistic"], p_value = tests["Sargan", "p-value"]),
  one_instrument_f = unname(coef(one)["z1"]^2 / V1["z1", "z1"]))
cat(toJSON(result, auto_unbox = TRUE, digits = 15), "\n")
