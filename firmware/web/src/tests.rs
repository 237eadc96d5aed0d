//! The API as a browser meets it: the router in memory over a real store.
