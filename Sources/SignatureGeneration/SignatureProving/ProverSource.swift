// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import FoundationEssentials
internal import GoodwareFiles
internal import Synchronization

/// Gives a prover with the goodware index as it lies on the disk now: an index that was replaced is opened anew, and
/// one that turns out damaged leaves the one before it in use.
public final class ProverSource: Sendable {
    private struct Opened {
        var identity: String?
        var file: GoodwareFile?
        /// What the last look at the path found, so that the same damage is said once.
        var failure: EpitopeError?
    }

    public let settings: ProvingSettings
    private let opened = Mutex(Opened())
    private let streams = CaptureStreams()

    /// Opens nothing yet.
    public init(_ settings: ProvingSettings) {
        self.settings = settings
    }

    /// Opens the index now, for a center that is to say at its start what is wrong.
    ///
    /// - Throws: `goodware-missing`, `goodware-damaged`, `goodware-version`.
    public func open() throws(EpitopeError) {
        _ = current()
        if let failure = opened.withLock({ $0.failure }) { throw failure }
    }

    /// The prover for now, and a name of what it proves with: when that differs, what failed before may pass.
    public func current() -> (prover: SignatureProver, material: String) {
        let (file, identity) = opened.withLock { opened in
            Self.refresh(&opened, path: settings.goodware)
            return (opened.file, opened.identity)
        }
        let material = ProvingMaterial(
            goodware: file, isGoodwareRequired: settings.requireGoodware, captures: settings.captures,
            benignCaptures: settings.benignCaptures, noiseShare: settings.noiseShare, streams: streams)
        return (SignatureProver(material), "\(identity ?? "none") \(settings.requireGoodware) \(settings.noiseShare)")
    }

    private static func refresh(_ opened: inout Opened, path: String?) {
        guard let path else { return }
        let found = identity(of: path)
        guard found == nil || found != opened.identity else { return }
        do {
            opened.file = try GoodwareFile(path: path)
            opened.identity = found
            opened.failure = nil
        } catch {
            opened.failure = error
        }
    }

    /// Device, inode, size and time of change: an index is replaced by renaming another over it.
    private static func identity(of path: String) -> String? {
        guard let values = try? FileManager.default.attributesOfItem(atPath: path) else { return nil }
        let date = (values[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        let numbers = [values[.systemNumber], values[.systemFileNumber], values[.size]].map { "\($0 ?? 0)" }
        return (numbers + ["\(date)"]).joined(separator: ":")
    }
}
