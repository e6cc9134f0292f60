SELECT id, 10 / (id - 3) AS x INTO o FROM rides
