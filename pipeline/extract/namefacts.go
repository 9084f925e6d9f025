package extract

import "picket"

// facts says in words what a finding on the name tells beside its numbers.
func (c *nameProof) facts(host string) []picket.Fact { return nil }
