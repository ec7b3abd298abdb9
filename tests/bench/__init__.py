"""The home screen side by side: our gateway and its peers over the same upstream answers."""
