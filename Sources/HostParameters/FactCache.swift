import Crypto
import EpitopeModel
import Foundation

/// Facts about files, kept as long as the file is unchanged.
struct FactCache: Sendable {
    private static let most = 256

    private var hashes: [FileIdentity: String] = [:]
    private var libcVersions: [FileIdentity: String?] = [:]
    /// By dpkg's status file: each root has its own, and a changed one is another.
    private var indices: [FileIdentity: DpkgIndex] = [:]
    private var rpmOwners: [String: (package: String, version: String?)?] = [:]

    /// SHA-256 as hexadecimal digits.
    mutating func hash(_ file: OpenFile) -> String? {
        guard let identity = FileIdentity(file.descriptor), identity.size <= HostParameters.largestHashed else { return nil }
        if let known = hashes[identity] { return known }
        var sha256 = SHA256()
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var offset: off_t = 0
        while offset <= identity.size {
            let count = pread(file.descriptor, &chunk, chunk.count, offset)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            chunk.withUnsafeBytes { sha256.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += off_t(count)
        }
        // A file that changed while it was read has no hash to report.
        guard FileIdentity(file.descriptor) == identity else { return nil }
        let text = Hex.encode(sha256.finalize())
        if hashes.count >= Self.most { hashes.removeAll() }
        hashes[identity] = text
        return text
    }

    mutating func libcVersion(_ file: OpenFile, _ library: LibcVersion.Library) -> String? {
        guard let identity = FileIdentity(file.descriptor) else { return nil }
        if let known = libcVersions[identity] { return known }
        let version = SystemFiles.read(file.descriptor, most: 8 << 20).flatMap { LibcVersion.version(library, file: $0) }
        if libcVersions.count >= Self.most { libcVersions.removeAll() }
        libcVersions[identity] = .some(version)
        return version
    }

    mutating func owner(of path: String, root: RootFolder) -> (package: String, version: String?)? {
        if let status = root.identity("/var/lib/dpkg/status") {
            if indices[status] == nil {
                if indices.count >= 4 { indices.removeAll() }
                indices[status] = DpkgIndex(root: root)
            }
            if let owner = indices[status]?.owner(of: path, in: root) { return owner }
        }
        // rpm is asked only about our own root: its answers are about that.
        guard let ours = FileIdentity(path: "/"), let theirs = root.identity("/"), ours.inode == theirs.inode,
            ours.device == theirs.device
        else { return nil }
        if let known = rpmOwners[path] { return known }
        let owner = RpmQuery.owner(of: path)
        if rpmOwners.count >= Self.most { rpmOwners.removeAll() }
        rpmOwners[path] = .some(owner)
        return owner
    }
}
