SELECT r.card, r.zone, r.fare, p.payment_id, p.amount,
       DATEDIFF(millisecond, r.pickup_time, p.pay_time) AS lag_ms
INTO output
FROM rides r TIMESTAMP BY pickup_time
JOIN payments p TIMESTAMP BY pay_time
  ON r.card = p.card AND DATEDIFF(millisecond, r, p) BETWEEN 0 AND 10000
