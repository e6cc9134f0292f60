SELECT r.id, p.amount, z.name INTO near
FROM rides r TIMESTAMP BY at
LEFT JOIN payments p TIMESTAMP BY at ON r.id = p.ride AND DATEDIFF(minute, r, p) BETWEEN -1 AND 5
JOIN zones z ON r.zone = z.id AND z.open = 1
