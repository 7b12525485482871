package kv

import "net/http"

// Jsz serves JetStream's monitoring, as NATS' own port does under /jsz, for KEDA's scaler: /jsz?acc=$G&consumers=true&config=true.
func (s *Store) Jsz() http.Handler { return http.HandlerFunc(s.srv.HandleJsz) }
