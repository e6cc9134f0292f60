// The middle of the values of a window.
function main() {
    this.init = function () {
        this.values = [];
    };
    this.accumulate = function (value) {
        this.values.push(value);
    };
    this.computeResult = function () {
        const sorted = this.values.sort((a, b) => a - b);
        const middle = Math.floor(sorted.length / 2);
        return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    };
}
