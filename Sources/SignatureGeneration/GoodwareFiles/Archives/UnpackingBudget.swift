// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// What may be spent on the contents of one file: small files can be made that unpack without end.
///
/// Each byte that goes from one layer to the next is charged: into a filter or an archive's reader, and out of the last. So the
/// work on a file is at most ``fixedBytes`` and ``bytesPerByte`` for each of its bytes, however it is nested.
final class UnpackingBudget {
    /// The file's contents go on: it was not read as a whole.
    struct Exceeded: Error {
        var reason: String
    }

    /// In bytes: what any file may unpack to.
    static let fixedBytes: UInt64 = 64 << 20
    /// What real files stay far below: deflate packs to a 1,032nd at best, programs to a tenth.
    static let bytesPerByte: UInt64 = 256
    /// In bytes: what a file may unpack to at most.
    static let maxBytes: UInt64 = 64 << 30
    /// In bytes: what a member of an archive costs beside its contents.
    static let memberBytes = 512
    /// Layers: a package in a compressed archive has six.
    static let maxDepth = 16
    /// In seconds of the monotonic clock: formats differ in what a byte takes.
    static let fixedSeconds = 60
    static let secondsPerMebibyte = 10

    let allowed: UInt64
    private let deadline: ContinuousClock.Instant
    private(set) var spent: UInt64 = 0
    private var lookAtClock: UInt64 = 0

    /// - Parameter size: of the file, in bytes.
    init(size: UInt64) {
        allowed = min(Self.maxBytes, Self.fixedBytes + Self.bytesPerByte * min(size, Self.maxBytes))
        deadline = .now + .seconds(Self.fixedSeconds + Self.secondsPerMebibyte * Int(min(size >> 20, 1 << 20)))
    }

    func charge(_ bytes: Int) throws(Exceeded) {
        spent += UInt64(bytes)
        guard spent <= allowed else {
            throw Exceeded(reason: "it unpacks to more than \(allowed >> 20) MiB, or has too many members")
        }
        guard spent >= lookAtClock else { return }
        lookAtClock = spent + 1 << 20
        guard ContinuousClock.now < deadline else { throw Exceeded(reason: "it takes too long to unpack") }
    }
}
