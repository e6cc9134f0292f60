SELECT id, fare INTO alerts FROM rides WHERE fare > 10
