SELECT id, fare FROM rides
