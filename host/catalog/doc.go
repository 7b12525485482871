// Package catalog keeps what each plugin name has stood for: its versions, which never change, its aliases, and the moves of
// both. It also reads references to plugins (name, name@3, name@alias, sha256:…), so that there is one answer to what they mean.
//
// It is not for the modules' bytes (blobs), for what a name stands for now (the Plugin resource says that; the catalogue
// follows it) or for running anything. Read plugin.go for the nouns, ref.go for references, service.go for the rules.
package catalog
