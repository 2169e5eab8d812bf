import Foundation

/// Regions cut at random from the machine's own files: libraries, programs, texts.
struct GoodwareRegions {
    private let files: [String]

    init(below folders: [String]) throws {
        var files: [String] = []
        for folder in folders {
            let all = FileManager.default.enumerator(atPath: folder)
            while let name = all?.nextObject() as? String, files.count < 200_000 {
                guard all?.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
                    let size = all?.fileAttributes?[.size] as? UInt64, size >= 512
                else { continue }
                // What is packed is indexed unpacked.
                guard ![".gz", ".xz", ".bz2", ".zst", ".zip", ".jar", ".deb", ".whl"].contains(where: name.hasSuffix) else { continue }
                files.append(folder + "/" + name)
            }
        }
        self.files = files.sorted()
    }

    /// Up to 8 KiB of one file.
    func region(_ random: inout SeededRandom) throws -> (bytes: [UInt8], kind: String) {
        while true {
            let path = files[Int.random(in: files.indices, using: &random)]
            guard let file = FileHandle(forReadingAtPath: path) else { continue }
            defer { try? file.close() }
            let size = try file.seekToEnd()
            try file.seek(toOffset: UInt64.random(in: 0...size - min(size, 8192), using: &random))
            guard let data = try file.read(upToCount: 8192), data.count >= 256 else { continue }
            return (Array(data), kind(path))
        }
    }

    private func kind(_ path: String) -> String {
        if path.contains("/lib/") { return "libraries and what lies beside them" }
        return path.contains("/bin/") || path.contains("/sbin/") ? "programs" : "texts and other data"
    }
}
