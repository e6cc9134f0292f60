SELECT r.id, w.word, w.size INTO o FROM rides r CROSS APPLY udf.words(r.note) AS w
