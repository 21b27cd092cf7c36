"""`make demo`: the whole way on embedded servers, told act by act."""
