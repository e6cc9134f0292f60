function gross(amount, currency) {
  return number(amount) * RATES[currency];
}
