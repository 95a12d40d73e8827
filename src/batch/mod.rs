//! Walking, reading, writing.
