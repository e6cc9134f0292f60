// A model gets one value: an array of the numbers it wants.
function main(toll, axles) {
    return [toll, axles];
}
