public import Signatures

extension SignatureContext {
    /// The most ports that a context names.
    public static let mostPorts = 16

    /// The narrowest context that holds for two packets of one cluster: the union of their ports where transport and
    /// direction agree, else any. More than ``mostPorts`` ports together become any port.
    public func merged(with other: SignatureContext) -> SignatureContext {
        guard let transport, transport == other.transport, direction == other.direction else { return .any }
        // No ports means any port: the union with any is any.
        guard !ports.isEmpty, !other.ports.isEmpty else {
            return SignatureContext(transport: transport, ports: [], direction: direction)
        }
        let union = Set(ports).union(other.ports).sorted()
        return SignatureContext(
            transport: transport, ports: union.count <= Self.mostPorts ? union : [], direction: direction)
    }

    /// Whether a rule in this context is also sought wherever a rule in the other would be.
    public func covers(_ other: SignatureContext) -> Bool {
        merged(with: other) == self
    }
}
