"""The published data sets, by name.

MD5 sums are those of `torchvision.datasets` and of the publishers; of MNIST the SHA-256 of the unpacked files with
torchvision's MD5 sums. Numbers of images and classes are those of each data set's page. Means and standard deviations
are of all pixels of the training images: measured for MNIST, whose figures serve QMNIST and the small digits; those in
common use for the others; for CIFAR-10 over the three channels together.
"""

from mnist_tui.datasets.record import DataFile, DataSet

DIGITS = tuple(map(str, range(10)))
UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abdefghnqrt"
"""EMNIST's balanced classes: lower case where it does not look like upper case."""
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081

_IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_MOST_IMAGES, _MOST_LABELS = 60_000_000, 2_000_000
"""The most bytes of a packed file of images, and of labels."""


def _packed_idx(*sums: str) -> tuple[DataFile, ...]:
    """The four packed files of a data set that calls them as MNIST does."""
    sizes = (_MOST_IMAGES, _MOST_LABELS) * 2
    return tuple(DataFile(f"{name}.gz", size, md5=md5) for name, size, md5 in zip(_IDX_NAMES, sizes, sums, strict=True))


MNIST = DataSet(
    name="mnist",
    title="MNIST",
    classes=DIGITS,
    train_images=60_000,
    test_images=10_000,
    mean=MNIST_MEAN,
    std=MNIST_STD,
    files=tuple(
        DataFile(name, size, digest)
        for name, size, digest in zip(
            _IDX_NAMES,
            (47_040_016, 60_008, 7_840_016, 10_008),
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            strict=True,
        )
    ),
    folders=("MNIST/raw", "raw", "."),
    sources=("https://ossci-datasets.s3.amazonaws.com/mnist/",),
    download_bytes=11_594_722,
    licence="CC BY-SA 3.0",
    page="https://yann.lecun.com/exdb/mnist/",
)

FASHION_MNIST = DataSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    train_images=60_000,
    test_images=10_000,
    mean=0.2860,
    std=0.3530,
    files=_packed_idx(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    folders=("FashionMNIST/raw", "raw", "."),
    sources=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
    download_bytes=30_900_000,
    licence="MIT",
    page="https://github.com/zalandoresearch/fashion-mnist",
)

KMNIST = DataSet(
    name="kmnist",
    title="Kuzushiji-MNIST",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    train_images=60_000,
    test_images=10_000,
    mean=0.1918,
    std=0.3483,
    files=_packed_idx(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
    folders=("KMNIST/raw", "raw", "."),
    sources=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    download_bytes=21_200_000,
    licence="CC BY-SA 4.0",
    page="https://codh.rois.ac.jp/kmnist/",
)

QMNIST = DataSet(
    name="qmnist",
    title="QMNIST",
    classes=DIGITS,
    train_images=60_000,
    test_images=10_000,
    mean=MNIST_MEAN,
    std=MNIST_STD,
    format="qmnist",
    files=(
        DataFile("qmnist-train-images-idx3-ubyte.gz", _MOST_IMAGES, md5="ed72d4157d28c017586c42bc6afe6370"),
        DataFile("qmnist-train-labels-idx2-int.gz", _MOST_LABELS, md5="0058f8dd561b90ffdd0f734c6a30e5e4"),
        DataFile("qmnist-test-images-idx3-ubyte.gz", _MOST_IMAGES, md5="1394631089c404de565df7b7aeaf9412"),
        DataFile("qmnist-test-labels-idx2-int.gz", _MOST_LABELS, md5="5b5b05890a5e13444e108efe57b788aa"),
    ),
    folders=("QMNIST/raw", "raw", "."),
    sources=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    download_bytes=21_000_000,
    licence="BSD",
    page="https://github.com/facebookresearch/qmnist",
)


def _emnist(name: str, classes: tuple[str, ...], train: int, test: int, mean: float, std: float) -> DataSet:
    return DataSet(
        name=f"emnist-{name}",
        title=f"EMNIST {name}",
        classes=classes,
        train_images=train,
        test_images=test,
        mean=mean,
        std=std,
        format="emnist",
        first_label=1 if name == "letters" else 0,
        files=(DataFile("gzip.zip", 600_000_000, md5="58c8d27c78d21e728a6bc7b3cc06412e"),),
        folders=("EMNIST/raw", "raw", "."),
        sources=("https://biometrics.nist.gov/cs_links/EMNIST/",),
        download_bytes=562_000_000,
        licence="public domain (NIST)",
        page="https://www.nist.gov/itl/products-and-services/emnist-dataset",
    )


CIFAR_10 = DataSet(
    name="cifar-10",
    title="CIFAR-10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    train_images=50_000,
    test_images=10_000,
    mean=0.4734,
    std=0.2516,
    shape=(3, 32, 32),
    format="cifar",
    files=(DataFile("cifar-10-binary.tar.gz", 200_000_000, md5="c32a1d4ab5d03f1284b67883e8d87530"),),
    folders=("CIFAR10", "."),
    sources=("https://www.cs.toronto.edu/~kriz/",),
    download_bytes=170_000_000,
    licence="none stated",
    page="https://www.cs.toronto.edu/~kriz/cifar.html",
)

SMALL_DIGITS = DataSet(
    name="digits",
    title="small digits",
    classes=DIGITS,
    train_images=1_437,
    test_images=360,
    mean=MNIST_MEAN,
    std=MNIST_STD,
    format="digits",
    licence="CC BY 4.0",
    page="https://archive.ics.uci.edu/dataset/80",
)
"""8x8 digits of scikit-learn, in this package; normalised as MNIST, which they stand in for."""

PUBLISHED: dict[str, DataSet] = {
    data.name: data
    for data in (
        MNIST,
        FASHION_MNIST,
        KMNIST,
        QMNIST,
        _emnist("digits", DIGITS, 240_000, 40_000, 0.1733, 0.3317),
        _emnist("letters", tuple(UPPER), 124_800, 20_800, 0.1722, 0.3309),
        _emnist("balanced", (*DIGITS, *UPPER, *LOWER), 112_800, 18_800, 0.1751, 0.3332),
        CIFAR_10,
        SMALL_DIGITS,
    )
}
"""By name, in the order in which they are listed."""
