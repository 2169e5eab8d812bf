import EpitopeModel
import Foundation
import PatternScan
import Signatures

/// A sample of the machine's own programs and libraries: goodware that no signature should be found in.
struct MachineFiles {
    private var contents: [Data] = []

    /// - Parameter mebibytes: how much is taken, evenly from the folders' files in random order.
    init(folders: [String] = ["/usr/bin", "/usr/lib"], mebibytes: Int, seed: UInt64) {
        var paths: [String] = []
        for folder in folders {
            guard let walk = FileManager.default.enumerator(atPath: folder) else { continue }
            for case let name as String in walk { paths.append("\(folder)/\(name)") }
        }
        var random = SeededRandom(seed: seed, "machine files")
        var bytes = 0
        for path in paths.sorted().shuffled(using: &random) where bytes < mebibytes << 20 {
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0, status.st_size < 64 << 20,
                let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
            else { continue }
            contents.append(data)
            bytes += data.count
        }
    }

    var summary: String {
        "\(contents.count) files of /usr/bin and /usr/lib, \(contents.reduce(0) { $0 + $1.count } >> 20) MiB"
    }

    /// How many of the files a signature matches.
    func hits(of signatures: [Signature]) -> Int {
        contents.filter { data in
            data.withUnsafeBytes { bytes in signatures.contains { $0.match(in: bytes) != nil } }
        }.count
    }
}
