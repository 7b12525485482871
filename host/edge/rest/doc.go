// Package rest is weir's own HTTP API: /api/v1/…, its description /openapi.json and the page /docs.
//
// One table (routes.go) holds every operation; it registers the handlers and generates the description, so that the two
// cannot drift. A handler decodes, makes one domain call and encodes: rules live in the domain rooms. What the rooms of
// engines and storage give comes through the small interfaces in deps.go. Read routes.go first, then the file of a noun.
package rest
