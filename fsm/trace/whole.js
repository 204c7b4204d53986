tracePage.begin();
tracePage.show(tracePage.refused());
