function main() {
  this.init = function () { this.sum = 0; this.count = 0; };
  this.accumulate = function (value, timestamp) { this.sum += value; this.count += 1; };
  this.computeResult = function () { return this.sum / this.count; };
}
