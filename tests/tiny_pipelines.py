"""Image-to-video pipelines of diffusers with random weights, of three families, as `save_pretrained` writes them."""

from pathlib import Path

from diffusers import (
    AutoencoderKL,
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    I2VGenXLPipeline,
    LTXImageToVideoPipeline,
    LTXVideoTransformer3DModel,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)
from transformers import (
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    T5EncoderModel,
)

from tests.baselines import small_base


def save_i2vgen_xl(folder: Path) -> Path:
    """Save a pipeline with a caption and an image encoder."""
    parts = small_base.write_release(folder.with_name(f"{folder.name} parts"))
    I2VGenXLPipeline(
        vae=AutoencoderKL.from_pretrained(parts / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(parts / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(parts / "tokenizer", model_max_length=77),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(parts / "image_encoder"),
        feature_extractor=CLIPImageProcessor.from_pretrained(parts / "feature_extractor"),
        unet=small_base.unet(),
        scheduler=DDIMScheduler.from_pretrained(parts / "scheduler"),
    ).save_pretrained(folder)
    return folder


def save_stable_video_diffusion(folder: Path) -> Path:
    """Save a pipeline without a caption."""
    encoder = folder.with_name(f"{folder.name} image encoder")
    small_base.write_image_encoder(encoder, encoder, size_px=224)  # the pipeline resizes to this size
    unet = UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
        layers_per_block=1,
        cross_attention_dim=small_base.WIDTH,
        num_attention_heads=(2, 4),
        sample_size=8,
    )
    autoencoder = AutoencoderKLTemporalDecoder(
        block_out_channels=(32,) * 4, down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=1
    )
    small_base.randomise(unet, "unet")
    StableVideoDiffusionPipeline(
        vae=autoencoder,
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(encoder),
        unet=unet,
        scheduler=EulerDiscreteScheduler(prediction_type="v_prediction", use_karras_sigmas=True),
        feature_extractor=CLIPImageProcessor.from_pretrained(encoder),
    ).save_pretrained(folder)
    return folder


def save_ltx(folder: Path) -> Path:
    """Save a pipeline whose autoencoder compresses time: it makes one frame, or more in steps of its ratio."""
    text = folder.with_name(f"{folder.name} text encoder")
    small_base.write_t5_encoder(text)
    autoencoder = AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    transformer = LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=8,
    )
    small_base.randomise(transformer, "transformer")
    small_base.randomise(autoencoder, "autoencoder")
    LTXImageToVideoPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder,
        text_encoder=T5EncoderModel.from_pretrained(text),
        tokenizer=AutoTokenizer.from_pretrained(text),
        transformer=transformer,
    ).save_pretrained(folder)
    return folder
