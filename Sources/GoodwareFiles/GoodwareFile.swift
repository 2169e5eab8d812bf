public import EpitopeModel
public import GoodwareIndex

/// A goodware index on disk, mapped into memory.
public final class GoodwareFile: Sendable {
    public let index: GoodwareIndex
    /// The folders and captures that it was built from.
    public let sources: [String]

    /// Maps and checks an index.
    ///
    /// - Throws: `goodware-missing`, `goodware-damaged`, `goodware-version`.
    public init(path: String) throws(EpitopeError) { fatalError("contract") }
}
