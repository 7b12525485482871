package kv_test

func crashChild(dir string) {}
