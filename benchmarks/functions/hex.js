function hex(card) {
    return parseInt(card, 16);
}
