SELECT zone, udf.hex(card) AS code, fare
INTO output
FROM rides
