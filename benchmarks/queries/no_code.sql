SELECT zone, card AS code, fare
INTO output
FROM rides
