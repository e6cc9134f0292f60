SELECT id, fare INTO o FROM rides TIMESTAMP BY at
