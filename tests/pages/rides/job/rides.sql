SELECT id, fare INTO o FROM rides
