// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import FileAccess
import Glibc
import ProcessInspection
import UnwindTables

/// The images that processes run, read from their files and cached.
///
/// A file is kept open, so that its inode can't be reused, and its state is compared at each use. An image whose file can't be
/// identified with certainty is unknown.
final class ImageTables {
    /// How many images are cached, and how many bytes of tables in all.
    static let maxImages = 64
    static let maxBytes = 64 << 20

    struct Key: Hashable {
        var device: MapEntry.Device
        var inode: UInt64

        init(_ span: epitope_span) {
            device = span.device
            inode = span.inode
        }
    }

    private var images: [Key: CodeImage] = [:]
    /// Images whose file could not be opened, with the ``clock`` at the last attempt.
    private var unavailable: [Key: UInt64] = [:]
    private var clock: UInt64 = 0
    /// After how many uses of the cache such an image is tried again, and how many are remembered.
    private static let retryAfter: UInt64 = 4096
    private static let maxUnavailable = 1024
    /// After how many uses the bytes that are kept are counted.
    private static let evictAfter: UInt64 = 256

    /// The image that is mapped; `nil` if its file can't be had.
    ///
    /// - Parameter name: the mapping's name, called only when the image isn't cached yet.
    func image(of span: epitope_span, thread: pid_t, name: () -> String) -> CodeImage? {
        guard span.inode != 0 else { return nil }
        let key = Key(span)
        clock += 1
        // Tables are read when they are needed first.
        if clock.isMultiple(of: Self.evictAfter) { makeRoom(forImages: 0) }
        if let known = images[key] {
            if known.isUnchanged {
                known.lastUse = clock
                return known
            }
            images[key] = nil
        }
        if let tried = unavailable[key], clock - tried < Self.retryAfter { return nil }
        let image = load(key, mappedAt: span, in: thread, named: name())
        if unavailable.count >= Self.maxUnavailable { unavailable.removeAll() }
        unavailable[key] = image == nil ? clock : nil
        image?.lastUse = clock
        return image
    }

    private func load(_ key: Key, mappedAt span: epitope_span, in thread: pid_t, named name: String) -> CodeImage? {
        guard let file = try? FileDescriptor(taking: epitope_open_mapped_file(thread, span.start, span.end, name)),
            let status = try? file.status(), status.kind == .regular,
            // By its path another file might have been opened.
            status.identity.isOf(file, mapped: key.inode, on: key.device)
        else { return nil }
        let image = CodeImage(key, file, status, isLoader: ReturnAddressScan.isLoader(named: name))
        makeRoom(forImages: 1)
        images[key] = image
        return image
    }

    private func makeRoom(forImages more: Int) {
        while images.count + more > Self.maxImages || images.values.reduce(0, { $0 + $1.size }) > Self.maxBytes,
            let oldest = images.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            images[oldest.key] = nil
        }
    }
}
