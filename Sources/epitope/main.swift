print("epitope")
