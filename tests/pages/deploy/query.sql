SELECT id INTO output FROM input
