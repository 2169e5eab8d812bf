public import EpitopeModel
public import StreamReassembly

/// Reads captures (pcap, pcapng) and gives their streams.
public enum CaptureReader {
    /// Reads one file from beginning to end.
    ///
    /// - Parameter body: gets each stream when its flow ends or the file does; returning `false` ends the reading.
    /// - Throws: `capture-unreadable`.
    public static func streams(
        in path: String, bounds: ReassemblyBounds = .init(), _ body: (CapturedStream) throws -> Bool
    ) throws { fatalError("contract") }

    /// The capture files of a ring that Suricata or tcpdump keeps, the oldest first: a file, a folder, or a path with
    /// `*` in its last part.
    ///
    /// - Throws: `capture-unreadable`.
    public static func files(of ring: String) throws(EpitopeError) -> [String] { fatalError("contract") }
}
