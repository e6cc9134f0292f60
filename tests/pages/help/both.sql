SELECT r.id, z.zone INTO alerts FROM rides r TIMESTAMP BY at
JOIN zones z TIMESTAMP BY at ON DATEDIFF(minute, r, z) BETWEEN 0 AND 0
