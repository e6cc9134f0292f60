SELECT id, fare INTO alerts FROM rides TIMESTAMP BY at WHERE fare > 10
