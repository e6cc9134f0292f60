// How a toll booth sees a vehicle.
function main(axles, weight) {
    if (axles > 4 || weight > 12) return 'truck';
    return weight > 5 ? 'van' : 'car';
}
