SELECT plate, COUNT(*) AS n INTO o FROM rides TIMESTAMP BY at GROUP BY plate, TumblingWindow(hour, 1)
