function createArray(a, b) {
  return [a, b];
}
