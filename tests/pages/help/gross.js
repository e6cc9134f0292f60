function gross(amount) { return amount === null ? null : amount * 1.05; }
